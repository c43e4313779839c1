/** The fields of `authenticate`. */
import { IsNotEmpty, IsString } from 'class-validator';

export class AuthenticateDto {
  @IsString()
  @IsNotEmpty()
  token!: string;
}
